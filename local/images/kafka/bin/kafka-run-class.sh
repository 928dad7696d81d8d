#!/bin/sh
# kafka-run-class.sh CLASS [ARGUMENT...]

# Spelled out and sorted: the archive of loaded classes is valid for exactly the class path that it was recorded with.
class_path=
for jar in /opt/kafka/libs/*.jar; do
    class_path="$class_path:$jar"
done

# shellcheck disable=SC2086 # lists of options by contract
exec java ${CLASS_ARCHIVE_OPTS:--XX:SharedArchiveFile=/opt/kafka/kafka.jsa -Xlog:cds=off -Xlog:cds+dynamic=off} \
    ${KAFKA_HEAP_OPTS:--Xms32m -Xmx256m} \
    ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
    -Dlog4j2.configurationFile="${KAFKA_LOG4J_CONFIGURATION:-/opt/kafka/config/log4j2.properties}" \
    ${KAFKA_OPTS:-} -cp "${class_path#:}" "$@"
