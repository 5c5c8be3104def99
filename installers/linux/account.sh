# The service's own account. The group may look after it: whoever installs it (isFirst) is taken in.
getent group lanthorn >/dev/null || groupadd --system lanthorn
getent passwd lanthorn >/dev/null || useradd --system --gid lanthorn --home-dir /var/lib/lanthorn --no-create-home \
  --shell "$(command -v nologin || echo /bin/false)" --comment "Lanthorn chat server" lanthorn
person="${SUDO_USER:-}"
[ -n "$person" ] || person=$(getent passwd "${PKEXEC_UID:-${PACKAGEKIT_CALLER_UID:-none}}" | cut -d: -f1)
if [ "$isFirst" = yes ] && [ -n "$person" ] && [ "$person" != root ] && getent passwd "$person" >/dev/null; then
  usermod --append --groups lanthorn "$person"
fi
# The autosetup file, which somebody may put there before the first start, holds passwords.
mkdir -p /etc/lanthorn
chgrp -R lanthorn /etc/lanthorn
chmod -R g+rX,g-w,o= /etc/lanthorn
