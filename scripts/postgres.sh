#!/bin/sh
# Makes sure of a PostgreSQL server for the tests of JDBC, which start one of their own; a server that runs is not touched.
usable() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

usable && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing postgresql"
    export DEBIAN_FRONTEND=noninteractive
    install_quietly() {
        apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 ||
            { apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends "$1" >/dev/null; }
    }
    # Debian makes and starts a cluster with the server, unless told first not to; the tests need the programs alone.
    install_quietly postgresql-common &&
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf &&
        install_quietly postgresql
    usable && exit 0
fi
echo "kveil: no PostgreSQL server was found, so the tests of JDBC are skipped, or fail where CI=true; install one (on Debian: sudo apt-get install postgresql) to run them" >&2
exit 0
