# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A real Apache Kafka broker from Maven's central repository. Each jar has a hash that is checked. The folder `formatted` is
# the empty storage of a broker: each broker of the tests starts with a copy, so that Java starts once and not twice.

kafka_version=4.3.1

get_kafka() {
    get_jars "$folder/tests/setup/kafka" Kafka
    cat >properties <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
controller.listener.names=CONTROLLER
log.dirs=$PWD/result/formatted
END
    java -cp 'result/jars/*' kafka.tools.StorageTool format --cluster-id bG9nYXRvci10ZXN0LWtmaw --config properties >said 2>&1 ||
        fail "the storage of a Kafka cannot be made: $(tail -n 1 said)"
}

if needs_kafka; then
    java_release=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    ((java_release >= 17)) ||
        fail "Kafka needs Java 17 or later, here is $java_release: set LOGATOR_TEST_KAFKA to the address of a broker"
    folder=$PWD
    make_once "$cache/kafka-$kafka_version" \
        "downloading an Apache Kafka for the tests with Maven ($kafka_version, 46 jars, 44 MB)" get_kafka
    export LOGATOR_TEST_KAFKA_HOME=$cache/kafka-$kafka_version
fi
