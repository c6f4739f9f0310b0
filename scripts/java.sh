#!/bin/sh
# Makes sure of a Java runtime that Spark 4 starts on: 17 or newer, with the module jdk.incubator.vector.
usable() {
    version=$("$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] && [ "$version" -ge 17 ] && "$1" --list-modules 2>/dev/null | grep -q '^jdk.incubator.vector'
}

if [ -n "$JAVA_HOME" ]; then
    usable "$JAVA_HOME/bin/java" && exit 0
    echo "kveil: JAVA_HOME is $JAVA_HOME, which is no Java 17 or newer that Spark can use; point it to one, or unset it, and run make again" >&2
    exit 1
fi
command -v java >/dev/null && usable java && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing openjdk-17-jre-headless"
    apt-get install -y -qq openjdk-17-jre-headless >/dev/null 2>&1 ||
        { apt-get update -qq >/dev/null && apt-get install -y -qq openjdk-17-jre-headless >/dev/null; } || true
    command -v java >/dev/null && usable java && exit 0
fi
echo "kveil: no Java 17 or newer was found; install one (on Debian: sudo apt-get install openjdk-17-jre-headless) and run make again" >&2
exit 1
