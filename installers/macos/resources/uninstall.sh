#!/bin/sh
# Removes Lanthorn from this Mac: sudo sh /Applications/Lanthorn.app/Contents/Resources/uninstall.sh [--purge]
# The data stays, and is there again when Lanthorn is installed again, unless --purge is said, or “yes” when it asks.
set -eu
account=_lanthorn
home="/Library/Application Support/Lanthorn"
service=com.lanthorn.server

if [ "$(id -u)" -ne 0 ]; then
  echo 'Run this as an administrator: sudo sh uninstall.sh' >&2
  exit 1
fi
purge=no
if [ "${1:-}" = --purge ]; then
  purge=yes
elif [ -t 0 ]; then
  printf 'Remove the data of this Mac too (people, messages, files, keys)? It cannot be brought back. yes/[no]: '
  read -r purge
fi

launchctl bootout "system/$service" 2>/dev/null || true # it is not there, or is on its way out: the loop tells
waited=0
while launchctl print "system/$service" >/dev/null 2>&1; do
  if [ "$waited" -ge 60 ]; then
    echo 'The server does not stop: nothing was removed.' >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
pkill -f '^/Applications/Lanthorn.app/Contents/MacOS/' || true # nobody has it open
rm -f "/Library/LaunchDaemons/$service.plist"
rm -rf "$home/run"
if [ "$purge" = yes ]; then
  rm -rf "$home"
  dscl . -delete "/Users/$account" || true # gone already
  dscl . -delete "/Groups/$account" || true
else
  echo "The data stays in $home."
fi
pkgutil --forget org.lanthorn.desktop >/dev/null 2>&1 || true # it was not installed by a package
rm -rf /Applications/Lanthorn.app
