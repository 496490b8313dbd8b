use super::*;
use crate::core::error::Kind;

#[test]
fn keys_are_written_as_libzmq_writes_them() {
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..1000 {
        let bytes: [u8; KEY_BYTES] = match round {
            0 => [0; KEY_BYTES],
            1 => [0xff; KEY_BYTES],
            _ => std::array::from_fn(|_| random.u8(..)),
        };
        let text = encode(&bytes);
        assert_eq!(text, zmq::z85_encode(&bytes).unwrap());
        assert_eq!(decode(&text), Some(bytes));
    }
}

#[test]
fn what_is_no_key_is_none() {
    let key = encode(&[7; KEY_BYTES]);
    assert!(PublicKey::parse(&key).is_some());
    for wrong in [&key[1..], &format!("{key}0"), &key.replace(&key[..1], "\""), &"#".repeat(40), "", &"ä".repeat(20)] {
        assert_eq!(PublicKey::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_pair_is_saved_for_its_owner_and_read_again_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker 1.key");
    let pair = KeyPair::generate().unwrap();
    pair.save(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(KeyPair::load(&path).unwrap(), pair);
    let public = std::fs::read_to_string(public_path(&path)).unwrap();
    assert_eq!(public, format!("{} worker-1\n", pair.public()));
    let secret = encode(&pair.secret);
    assert!(std::fs::read_to_string(&path).unwrap().contains(&secret));
    assert!(!format!("{pair:?}").contains(&secret) && !public.contains(&secret));
    for named in [pair.public().to_string(), public_path(&path).display().to_string(), path.display().to_string()] {
        assert_eq!(PublicKey::named(&named).unwrap(), pair.public());
    }
    // No file is overwritten, and a failed attempt leaves no single file behind.
    let before = std::fs::read(&path).unwrap();
    let error = KeyPair::generate().unwrap().save(&path).unwrap_err();
    assert!(error.to_string().contains("the file exists"), "{error}");
    std::fs::remove_file(public_path(&path)).unwrap();
    assert_eq!(KeyPair::generate().unwrap().save(&path).unwrap_err().kind(), Kind::Usage);
    assert_eq!((std::fs::read(&path).unwrap(), public_path(&path).exists()), (before, false));
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    KeyPair::generate().unwrap().save(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = KeyPair::load(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains(&format!("others can read this secret key (mode {mode:04o})")), "{error}");
    }
}

#[test]
fn what_is_no_key_file_is_said_without_showing_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for content in ["", "hush", "public-key = \"hush\"\nsecret-key = \"hush\"", "secret-key = hush"] {
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = KeyPair::load(&path).unwrap_err().to_string();
        assert!(error.contains("logator keygen makes such a file") && !error.contains("hush"), "{error}");
        let error = PublicKey::named(&path.display().to_string()).unwrap_err().to_string();
        assert!(error.contains("there is no public key in it"), "{error}");
    }
    assert!(PublicKey::named("nowhere").unwrap_err().to_string().contains("neither a public key"));
    assert!(KeyPair::load(Path::new("nowhere")).unwrap_err().to_string().contains("nowhere: the keys cannot be read"));
}

#[test]
fn a_list_has_keys_names_and_comments_and_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let [one, two, three, own] = [1, 2, 3, 4].map(|byte| PublicKey([byte; KEY_BYTES]));
    std::fs::write(&path, format!("# who may come in\n\n{one} the first\n  \"{two}\"\n#{three} gone\n")).unwrap();
    let list = Authorized::load(&path, Some(own)).unwrap();
    assert_eq!([one, two, three, own].map(|key| list.allows(&key)), [true, true, false, true]);
    std::fs::write(&path, format!("{three}\n")).unwrap();
    assert_eq!((list.reload().unwrap(), list.edition()), (1, 1));
    assert_eq!([one, two, three, own].map(|key| list.allows(&key)), [false, false, true, true]);
    // A wrong list changes nothing.
    std::fs::write(&path, format!("{one}\nthe third\n")).unwrap();
    let error = list.reload().unwrap_err().to_string();
    assert!(error.contains("keys:2: no public key"), "{error}");
    assert_eq!([one, three].map(|key| list.allows(&key)), [false, true]);
}
