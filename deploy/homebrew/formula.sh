#!/bin/sh
# Prints the Homebrew formula of a release, for a tap. Homebrew on Linux installs the static binaries.
# Usage: formula.sh VERSION REPOSITORY-URL SHA256SUMS
set -eu
version=$1
repository=$2
sums=$3

sum_of() { awk -v name="tokenlake-$version-$1-unknown-linux-musl.tar.gz" '$2 == name {print $1; found = 1} END {exit !found}' "$sums"; }
intel=$(sum_of x86_64)
arm=$(sum_of aarch64)
from="$repository/releases/download/v$version/tokenlake-$version"

cat << END
# Exact, scoped, instant LLM usage metrics for Prometheus, from Parquet in object storage.
class Tokenlake < Formula
  desc "Exact, scoped, instant LLM usage metrics for Prometheus"
  homepage "$repository"
  version "$version"
  license "Apache-2.0"

  depends_on :linux

  on_intel do
    url "$from-x86_64-unknown-linux-musl.tar.gz"
    sha256 "$intel"
  end
  on_arm do
    url "$from-aarch64-unknown-linux-musl.tar.gz"
    sha256 "$arm"
  end

  def install
    bin.install "tokenlake"
    man1.install Dir["man/*"]
    generate_completions_from_executable(bin/"tokenlake", "completions", shells: [:bash, :zsh, :fish])
  end

  service do
    run [opt_bin/"tokenlake", "serve"]
    environment_variables TOKENLAKE_ARCHIVE: var/"lib/tokenlake/archive"
    keep_alive true
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/tokenlake --version")
    assert_match "td_live_", shell_output("#{bin}/tokenlake --archive #{testpath}/archive key create --org acme")
    system bin/"tokenlake", "--archive", testpath/"archive", "verify"
  end
end
END
