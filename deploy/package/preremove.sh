#!/bin/sh
# Debian says `remove` and RPM 0 where the package goes for good; an upgrade leaves the server running.
set -e
case "${1:-}" in
remove | 0)
    if [ -d /run/systemd/system ]; then
        systemctl disable --now tokenlake.service
    fi
    ;;
esac
