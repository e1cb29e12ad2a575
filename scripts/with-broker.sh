#!/usr/bin/env bash
# Runs a command with a RabbitMQ to test against.
#
#   scripts/with-broker.sh COMMAND...    run it
#   scripts/with-broker.sh --install     only install RabbitMQ, where this script can
#
# The first of these that there is:
#   1. AMQP_URL: the broker it names, as it is
#   2. an installed rabbitmq-server: a private node, see internal/rabbitmq
#   3. root and apt-get: Debian's rabbitmq-server, installed now, then as 2
#   4. a Docker engine: a container of the image RABBITMQ_IMAGE (rabbitmq:4), removed afterwards
#   5. none, also with WARREN_BROKER=none: the command runs all the same, and this says loudly what it leaves out
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'with-broker: %s\n' "$*" >&2; }
with() { go run ./internal/rabbitmq/with "$@"; }
installed() { with -installed 2>/dev/null; }

# install_with_apt installs the package without starting its service: a test node needs none, and a
# machine that gets one should have asked for it.
install_with_apt() ( # a subshell, whose end takes the policy away again
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	say "installing rabbitmq-server"
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	apt-get update -qq >&2 &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server >&2 &&
		installed
)

docker_works() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

# run_with_docker runs the command with a broker in a container, and removes that afterwards.
run_with_docker() {
	local image=${RABBITMQ_IMAGE:-rabbitmq:4}
	container=warren-test-$$
	say "no rabbitmq-server is installed: starting $image with Docker"
	trap 'docker rm -f -v "$container" >/dev/null 2>&1' EXIT
	docker run -d --name "$container" -p 127.0.0.1::5672 "$image" >/dev/null
	local port i
	port=$(docker port "$container" 5672/tcp | sed 's/.*://;q')
	for i in $(seq 60); do
		docker exec "$container" rabbitmqctl -q await_startup >/dev/null 2>&1 && break
		[ "$i" -lt 60 ] || { say "the container does not serve:"; docker logs --tail 20 "$container" >&2; return 1; }
		sleep 1
	done
	local code=0
	AMQP_URL=amqp://guest:guest@127.0.0.1:$port/ with -- "$@" || code=$?
	say "with Docker, the tests that kill, stop or freeze a node ARE LEFT OUT: they need an installed rabbitmq-server"
	return "$code"
}

case ${1-} in
'')
	sed -n '2,12p' "$0" >&2
	exit 2
	;;
--install)
	installed || install_with_apt || { say "cannot install rabbitmq-server here: it takes root and apt-get"; exit 1; }
	exit
	;;
esac

if [ "${WARREN_BROKER-}" != none ] && [ -z "${AMQP_URL-}" ] && ! installed && ! install_with_apt && docker_works; then
	run_with_docker "$@"
else
	with -- "$@"
fi
