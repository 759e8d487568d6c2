#!/bin/sh
# Palimpsest for people without root: unpacks what stands behind the last line into ~/.local.
# --remove takes it away again; what you wrote, and your preferences, stay.
set -eu
prefix="${PREFIX:-$HOME/.local}"
if [ "${1:-}" = "--remove" ]; then
    rm -rf "$prefix/lib/palimpsest" "$prefix/share/doc/palimpsest"
    rm -f "$prefix/bin/palimpsest" "$prefix/share/applications/palimpsest.desktop" \
        "$prefix/share/metainfo/palimpsest.metainfo.xml" "$prefix/share/man/man1/palimpsest.1.gz" \
        "$prefix/share/icons/hicolor/scalable/apps/palimpsest.svg"
    echo "Palimpsest is removed from $prefix."
    engine="${XDG_DATA_HOME:-$HOME/.local/share}/palimpsest/engine"
    if [ -d "$engine" ]; then
        answer=n
        [ ! -t 0 ] || { printf "Remove also the environment made for the engine, %s? [y/N] " "$engine"; read -r answer; }
        case "$answer" in [yY]*) rm -rf "$engine" ;; *) echo "$engine stays." ;; esac
    fi
    models="${HF_HOME:-$HOME/.cache/huggingface}/hub"
    [ ! -d "$models" ] || echo "Checkpoints that were fetched stay in $models, which other programs use too."
    exit 0
fi
command -v xz >/dev/null || { echo "Palimpsest is packed with xz, which is missing here: install xz-utils." >&2; exit 1; }
mkdir -p "$prefix/bin"
free=$(df -Pk "$prefix" | awk 'NR==2 {print $4}')
needed=$((@KILOBYTES@ * 51 / 50)) # files take whole blocks
if [ "$free" -lt "$needed" ]; then
    echo "Palimpsest needs $((needed * 128 / 125000)) MB in $prefix, and only $((free * 128 / 125000)) MB are free: make room, or choose another place with PREFIX=... $0" >&2
    exit 1
fi
rm -rf "$prefix/lib/palimpsest.new"
mkdir -p "$prefix/lib/palimpsest.new"
trap 'rm -rf "$prefix/lib/palimpsest.new"' EXIT
line=$(awk '/^__ARCHIVE__$/ {print NR + 1; exit}' "$0")
tail -n +"$line" "$0" | tar --extract --xz --directory "$prefix/lib/palimpsest.new"
rm -rf "$prefix/lib/palimpsest"
mv "$prefix/lib/palimpsest.new/lib/palimpsest" "$prefix/lib/palimpsest"
cp -R "$prefix/lib/palimpsest.new/share" "$prefix/"
ln -sfn ../lib/palimpsest/palimpsest "$prefix/bin/palimpsest"
sed -i "s|^Exec=palimpsest|Exec=\"$prefix/bin/palimpsest\"|" "$prefix/share/applications/palimpsest.desktop"
echo "Palimpsest is installed; start it from the menu or as $prefix/bin/palimpsest. To remove it: $0 --remove"
exit 0
__ARCHIVE__
