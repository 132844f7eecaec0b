#!/usr/bin/env bash
# Installs what the tests use from the distribution: a real ZooKeeper (a jar and a Java runtime) and kcat. Where that can't be done it says loudly
# what will be skipped; the tests that need neither run anyway.
set -uo pipefail

have_zookeeper() { command -v java >/dev/null && [ -e /usr/share/java/zookeeper.jar ]; }
have_kcat() { command -v kcat >/dev/null; }
# Maven is asked for by INTEROP=1 only (interop.sh): it fetches Apache Kafka itself.
have_maven() { [ -z "${INTEROP:-}" ] || command -v mvn >/dev/null; }

if have_zookeeper && have_kcat && have_maven; then exit 0; fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
fi
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || [ "${as_root[0]}" = sudo ]; }; then
  packages=()
  have_kcat || packages+=(kcat)
  [ -e /usr/share/java/zookeeper.jar ] || packages+=(libzookeeper-java libslf4j-java)
  command -v java >/dev/null || packages+=(default-jre-headless)
  have_maven || packages+=(maven)
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq || true
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null || true
fi

loud() { printf '\n*** %s ***\n\n' "$*" >&2; }
have_zookeeper || loud "no real ZooKeeper (Debian: libzookeeper-java and a Java runtime): tests against it are SKIPPED"
have_kcat || loud "no kcat (Debian: kcat): tests with it are SKIPPED"
have_maven || loud "no Maven (Debian: maven) to fetch Apache Kafka with: tests beside it are SKIPPED, unless its jars are in the cache already"
exit 0
