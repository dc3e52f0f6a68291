#!/bin/sh
# What a careful engineer would have prepared: ends.sh SSH-CONFIG RULES OPERATOR HOST CREDENTIALS SERVER WAY
# The gate and the cut, then by curl what WAY says, then the gate away for everybody at once.
#   delete   the workload's DELETE
#   all      the same, its pods by force and the binding that gives it its rights
# Each request is sent until it is answered, for at most two minutes.
config=$1 rules=$2 operator=$3 host=$4 credentials=$5 server=$6 way=$7
ssh -F "$config" "$host" "nft -f - && ss -K -tn 'sport = :6443 and not dst $operator' >/dev/null" <"$rules" || exit 1
send() {
	end=$(($(date +%s) + 120))
	until code=$(curl -s -o /dev/null -w '%{http_code}' -m 60 --cacert "$credentials/ca.crt" --cert "$credentials/user.crt" \
		--key "$credentials/user.key" -X DELETE "$server$1" -H 'Content-Type: application/json' -d "$2") &&
		case $code in 2?? | 404) true ;; *) false ;; esac; do
		[ "$(date +%s)" -lt "$end" ] || { echo "DELETE $1: $code"; exit 1; }
		sleep 0.2
	done
}
options='{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"'
send /apis/apps/v1/namespaces/telemetry/daemonsets/telemetry-agent "$options}"
if [ "$way" = all ]; then
	send /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/telemetry-agent "$options}"
	send '/api/v1/namespaces/telemetry/pods?labelSelector=app%3Dtelemetry-agent' "$options,\"gracePeriodSeconds\":0}"
fi
ssh -F "$config" "$host" 'nft delete table inet byhand'
