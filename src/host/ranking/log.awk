# Counts the slow requests in a kube-apiserver's own log, by what the client calls itself and by what it asked for. Told: since, as the
# log's lines begin (month, day and time); empty: all.
#
# The path and the user agent are what the client says, and may have commas and colons in them. It can only be counted under another
# name of its own choosing.
function clean(text) {
  gsub(/[\001-\037\177]/, "?", text)
  return substr(text, 1, 300)
}
# What stands between two signs, the second one after the first.
function between(text, from, to,   at) {
  at = index(text, from)
  if (!at) return ""
  text = substr(text, at + length(from))
  at = index(text, to)
  return at ? substr(text, 1, at - 1) : ""
}
function add(agent, verb, resource, took, address,   k) {
  k = clean(agent) "\t" clean(verb) "\t" clean(resource)
  if (!(k in count)) { if (rows >= 5000) { beyond++; return } rows++ }
  count[k]++; spent[k] += took
  if (address != "") {
    if (!((k, address) in from)) { froms[k]++; if (froms[k] <= 50) list[k] = list[k] " " address }
    from[k, address]++
  }
}
# A length of time as Go writes it, in milliseconds.
function millis(text,   all) {
  all = 0
  if (match(text, /^[0-9]+h/)) { all += substr(text, 1, RLENGTH - 1) * 3600000; text = substr(text, RLENGTH + 1) }
  if (match(text, /^[0-9]+m[0-9]/)) { all += substr(text, 1, RLENGTH - 2) * 60000; text = substr(text, RLENGTH) }
  if (text ~ /^[0-9.]+ms$/) return all + text
  if (text ~ /^[0-9.]+s$/) return all + text * 1000
  return all
}
BEGIN { cut = "no" }
$0 == "!cut" { cut = "yes"; next }
{ lines++ }
{
  at = index($0, "Trace[")
  http = at ? 0 : index($0, "\"HTTP\" verb=\"")
  if (!at && !http) next
  # I1128 07:00:00.000000, behind what a container runtime puts before it.
  if (since != "") {
    if (!match($0, /[IWEF][0-9][0-9][0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]/) || RSTART > 60) next
    if (substr($0, RSTART + 1, 13) < since) next
  }
}
at && (total = index($0, "(total time: ")) && index($0, ",user-agent:") && substr($0, at) ~ /^Trace\[[0-9]+\]: "/ {
  head = substr($0, at, total - at)
  took = substr($0, total + 13); took = substr(took, 1, index(took, "ms") - 1)
  name = substr(head, index(head, ",user-agent:") + 12)
  # The last verb: the agent may say one, too.
  verb = name
  while ((cutat = index(verb, ",verb:"))) verb = substr(verb, cutat + 6)
  name = substr(name, 1, length(name) - length(verb) - 6)
  sub(/ .*/, "", verb)
  resource = between(head, ",resource:", ",scope:")
  group = between(head, ",api-group:", ",api-version:")
  if (resource != "" && group != "") resource = resource "." group
  part = between(head, ",subresource:", ",namespace:")
  if (resource != "" && part != "") resource = resource "/" part
  events++
  add(name, tolower(verb), resource, took, between(head, ",client:", ","))
  next
}
http {
  line = substr($0, http)
  verb = tolower(between(line, "verb=\"", "\""))
  if (verb ~ /^watch/) next
  resource = between(line, "URI=\"", "\"")
  sub(/\?.*/, "", resource)
  address = between(line, "srcIP=\"", "\"")
  sub(/:[0-9]+$/, "", address); gsub(/[][]/, "", address)
  events++
  add(between(line, "userAgent=\"", "\""), verb, substr(resource, 1, 60), millis(between(line, "latency=\"", "\"")), address)
}
END {
  printf "lines=%d\nevents=%d\nbeyond=%d\ncut=%s\n", lines, events, beyond, cut
  for (k in count) {
    split(k, cell, "\t")
    all = ""; many = split(list[k], one, " ")
    for (i = 1; i <= many; i++) all = all " " one[i] "=" from[k, one[i]]
    printf "%.0f\trow=:\t\t%s\t%s\t%s\t0\t0\t%d\t0\t%.0f\t\t\t%d\t0\t\t%s\t.\n", spent[k] + count[k], cell[1], cell[2], cell[3], \
      count[k], spent[k], froms[k], all | "sort -rn | head -n 60 | cut -f 2-"
  }
  close("sort -rn | head -n 60 | cut -f 2-")
}
