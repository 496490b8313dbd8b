#!/bin/sh
# boot.sh ROOT PACKAGE CGROUP [TARGET]: starts systemd as the first process of its own namespaces. Its root has this
# machine's /usr, and the package's files over it. It writes nothing to a disk. `unshare` starts this script: see
# systemd.rs.
set -eu
root=$1 package=$2 cgroup=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
mkdir usr etc run dev proc sys tmp var root old
chmod 1777 tmp
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$folder"; done
mount -t overlay overlay -o "lowerdir=$package/usr:/usr" usr
cp -r "$package/etc/." etc/
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nadm:x:4:\nsystemd-journal:x:990:\nnogroup:x:65534:\n' >etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >etc/nsswitch.conf
cp /etc/ld.so.cache etc/
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p etc/systemd/system var/lib var/log
# The journal must run before a program asks it to sync. With its socket alone, it would start only at the first
# message.
printf '[Unit]\nRequires=systemd-journald.service\nAfter=systemd-journald.service\n' >etc/systemd/system/test.target
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 none sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=755 none dev
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t tmpfs none dev/shm
ln -s pts/ptmx dev/ptmx
pivot_root . old
umount -l old
cd /
# systemd does this itself when it does not run in a container. A credential that one of its children mounts is then
# visible to the others.
mount --make-rshared /
exec env -i container=logator PATH=/usr/bin:/usr/sbin /lib/systemd/systemd --unit="${4:-test.target}" --log-target=console \
    --log-level=warning --show-status=no
