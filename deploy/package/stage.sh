#!/bin/sh
# Makes the folder of a release: the program, shell completions and manual pages that it prints
# itself, the systemd unit, licence and documents. Binaries of a release, packages and the Homebrew
# formula take their files from it.
# Usage: stage.sh PROGRAM FOLDER    (in the root of the repository; PROGRAM runs on this machine)
set -eu
program=$1
folder=$2

mkdir -p "$folder/completions" "$folder/man" "$folder/systemd"
install -m 755 "$program" "$folder/tokenlake"
for shell in bash elvish fish powershell zsh; do
    "$program" completions "$shell" > "$folder/completions/tokenlake.$shell"
done
"$program" man --output "$folder/man"
# Without the time, so that the same program makes the same bytes.
gzip --best --no-name --force "$folder"/man/*.1
install -m 644 LICENSE README.md CHANGELOG.md "$folder"
# Packages put the program where the system's own are.
sed -e 's|/usr/local/bin/|/usr/bin/|' -e 's|/usr/local/share/|/usr/share/|' deploy/systemd/tokenlake.service \
    > "$folder/systemd/tokenlake.service"
install -m 644 deploy/package/tokenlake.env "$folder/systemd/tokenlake.env"
