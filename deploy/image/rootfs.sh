#!/bin/sh
# Makes the root of the image: the program, the libraries that it loads, certificates, a user.
# Usage: rootfs.sh PROGRAM FOLDER
set -eu
program=$1
root=$2

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/data" "$root/tmp"
install -m 755 "$program" "$root/usr/bin/tokenlake"
# ldd names the loader and each library by its path.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 755 "$library" "$root$library"
done
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'tokenlake:x:65532:65532::/data:/sbin/nologin' > "$root/etc/passwd"
echo 'tokenlake:x:65532:' > "$root/etc/group"
chmod 1777 "$root/tmp"
