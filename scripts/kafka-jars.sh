#!/usr/bin/env bash
# kafka-jars.sh DIR
#
# The jars of a broker of Kafka, by Maven, into DIR: tests start it with Java. DIR is there when it is whole.
#
#   scripts/kafka-jars.sh "${TMPDIR:-/tmp}/drainshift-kafka-4.4.0"
set -euo pipefail

fail() { echo "kafka-jars: $1" >&2; exit 1; }

[ $# = 1 ] || fail "use: kafka-jars.sh DIR"
[ ! -e "$1" ] || exit 0
for command in java mvn; do command -v "$command" >/dev/null || fail "$command is not installed"; done
work=$(mktemp -d "$1.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>drainshift</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.4.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
timeout 300 mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/jars" >"$work/log" 2>&1 ||
  fail "Maven did not get them: $(grep -m1 ERROR "$work/log" || echo 'no answer in 300 s')"
# Another one may have been faster.
mv -T "$work/jars" "$1" 2>/dev/null || [ -d "$1" ]
