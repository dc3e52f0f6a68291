# Counts the events of an audit log, a line of JSON each, by client and kind of request. Told: since, in seconds since 1970; 0: all.
#
# The API server writes the keys of an event in one order, and escapes each quote inside a text. So `","verb":"` stands in no text, and
# the first one is the event's own: what a client puts into its path or its name changes nobody's count but its own.
function days(y, m, d) {
  if (m < 3) { y--; m += 12 }
  return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d - 719469
}
function seconds(text) {
  return days(substr(text, 1, 4) + 0, substr(text, 6, 2) + 0, substr(text, 9, 2) + 0) * 86400 \
    + substr(text, 12, 2) * 3600 + substr(text, 15, 2) * 60 + substr(text, 18, 9)
}
# The time of day alone: of two times that are less than a day apart.
function between(from, to,   took) {
  if (substr(from, 1, 16) == substr(to, 1, 16)) return substr(to, 18, 9) - substr(from, 18, 9)
  took = seconds(to) - seconds(from)
  return took
}
function stamp(secs,   z, era, doe, yoe, doy, mp, d, m, y) {
  z = int(secs / 86400) + 719468; era = int(z / 146097); doe = z - era * 146097
  yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365); y = yoe + era * 400
  doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100)); mp = int((5 * doy + 2) / 153)
  d = doy - int((153 * mp + 2) / 5) + 1; m = mp < 10 ? mp + 3 : mp - 9; if (m <= 2) y++
  secs = secs % 86400
  return sprintf("%04d-%02d-%02dT%02d:%02d:%02d", y, m, d, int(secs / 3600), int(secs % 3600 / 60), secs % 60)
}
# Up to the end of a text of JSON that this begins in; what is longer than is looked at is cut.
function text_of(from,   at, out) {
  out = ""
  while ((at = index(from, "\"")) > 1 && substr(from, at - 1, 1) == "\\") {
    # A quote behind an even number of backslashes ends it.
    if (match(substr(from, 1, at - 1), /\\+$/) && RLENGTH % 2 == 0) break
    out = out substr(from, 1, at); from = substr(from, at + 1)
  }
  out = out (at ? substr(from, 1, at - 1) : from)
  gsub(/[\001-\037\177]/, "?", out)
  return substr(out, 1, 300)
}
function after(from, key,   at) {
  at = index(from, key)
  return at ? text_of(substr(from, at + length(key), 400)) : ""
}
BEGIN { start = since > 0 ? stamp(since) : "" }
$0 == "" { next }
$0 == "!cut" { cut = 1; next }
{
  lines++
  if (substr($0, 1, 56) != "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"") {
    # A line that is being written, or the rest of one.
    if (substr($0, 1, 1) == "{" && index($0, "\"auditID\":\"")) skipped++; else other++
    next
  }
  at = index($0, "\",\"verb\":\"")
  rest = substr($0, at + 10)
  mid = index(rest, "\",\"user\":{\"username\":\"")
  if (!at || !mid || mid > 40) { skipped++; next }
  at = index(rest, ",\"responseStatus\":{")
  if (!at) at = index(rest, ",\"requestReceivedTimestamp\":\"")
  answer = substr(rest, at)
  # What a request carried stands before its times, and may say anything: there the last ones are its own.
  if (substr($0, 57, 7) == "Request") {
    pieces = split(answer, piece, /,"requestReceivedTimestamp":"/)
    times = pieces > 1 ? substr(piece[pieces], 1, 80) : ""
  } else {
    mark = index(answer, ",\"requestReceivedTimestamp\":\"")
    times = mark ? substr(answer, mark + 29, 80) : ""
  }
  if (substr(times, 11, 1) != "T" || !(mark = index(times, "\"stageTimestamp\":\""))) { skipped++; next }
  events++
  if (times < start) { old++; next }
  ended = substr(times, mark + 18, 30)
  # Who asks for what, from where, is the same text again and again: what was read of it is kept.
  same = substr(rest, 1, at)
  initial = mid == 6 && substr(rest, 1, 5) == "watch" && index($0, "sendInitialEvents=true")
  if (initial) same = "from the start " same
  r = row_of[same]
  if (!r) {
    verb = substr(rest, 1, mid - 1)
    at = index(rest, "\"sourceIPs\":[\"")
    if (!at) at = index(rest, "\"userAgent\":\"")
    if (!at) at = index(rest, ",\"re")
    who = substr(rest, mid + 22, at - mid - 22)
    w = account[who]
    if (!w) {
      if (accounts < 20000) { w = account[who] = ++accounts; account_text[w] = who } else w = 0
    }
    tail = substr(rest, at, 1200)
    resource = ""; ref = ""; from = tail; keep = 1
    if ((at = index(tail, ",\"objectRef\":{\"resource\":\""))) {
      from = substr(tail, 1, at)
      ref = substr(tail, at + 26, 600)
      ref = substr(ref, 1, index(ref, "}"))
      resource = substr(ref, 1, index(ref, "\"") - 1)
      if ((at = index(ref, "\"apiGroup\":\""))) { more = substr(ref, at + 12); resource = resource "." substr(more, 1, index(more, "\"") - 1) }
      if ((at = index(ref, "\"subresource\":\""))) { more = substr(ref, at + 15); resource = resource "/" substr(more, 1, index(more, "\"") - 1) }
    } else {
      # Which path that is stands before all of this.
      keep = 0
      if ((at = index(tail, ",\"objectRef\":")) || (at = index(tail, ",\"re"))) from = substr(tail, 1, at)
      resource = after(substr($0, 1, 900), "\"requestURI\":\"")
      if ((at = index(resource, "?"))) resource = substr(resource, 1, at - 1)
      resource = substr(resource, 1, 60)
    }
    c = caller[from]
    if (!c) {
      if (callers < 20000) { c = caller[from] = ++callers; caller_text[c] = from } else c = 0
    }
    if (initial) verb = "watch from the start"
    key = w "\t" c "\t" verb "\t" resource
    r = row[key]
    if (!r) {
      if (rows < 50000) { r = row[key] = ++rows; key_of[r] = key; seen[r] = times; goes_on[r] = verb ~ /^watch/ } else { beyond++; next }
    }
    if (keep && kept < 20000) { row_of[same] = r; kept++ }
  }
  if (times > till[r]) till[r] = times
  if (times < seen[r]) seen[r] = times
  stage = substr($0, index($0, "\",\"stage\":\"") + 11, 10)
  if (stage == "ResponseCo" || stage == "Panic\",\"re") {
    done[r]++
    if (!goes_on[r]) spent[r] += between(times, ended)
    if (substr(answer, 1, 19) == ",\"responseStatus\":{" && (at = index(answer, "\"code\":"))) {
      code = substr(answer, at + 7, 3)
      if (code == 401 || code == 403 || code == 429 || code >= 500) refused[r]++
    }
  } else if (stage == "ResponseSt") started[r]++
  else if (stage == "RequestRec") received[r]++
}
END {
  for (r = 1; r <= rows; r++) {
    split(key_of[r], part, "\t")
    who = account_text[part[1]]; from = caller_text[part[2]]
    user = text_of(substr(who, 1, 400)); pod = after(who, "authentication.kubernetes.io/pod-name\":[\"")
    node = after(who, "authentication.kubernetes.io/node-name\":[\"")
    agent = after(from, "\"userAgent\":\""); address = after(from, "\"sourceIPs\":[\"")
    resource = part[4]; gsub(/[\001-\037\177]/, "?", resource)
    k = user "\t" agent "\t" part[3] "\t" resource
    if (!(k in first)) { first[k] = seen[r]; last[k] = till[r] }
    if (seen[r] < first[k]) first[k] = seen[r]
    if (till[r] > last[k]) last[k] = till[r]
    d[k] += done[r]; s[k] += started[r]; v[k] += received[r]; f[k] += refused[r]; t[k] += spent[r]
    all_done += done[r]; all_started += started[r]; all_received += received[r]
    asked = done[r] + started[r] > received[r] ? done[r] + started[r] : received[r]
    if (address != "") {
      if (!((k, address) in times_from)) { froms[k]++; if (froms[k] <= 50) from_list[k] = from_list[k] " " address }
      times_from[k, address] += asked
    }
    if (pod != "" && !((k, pod) in has_pod)) { has_pod[k, pod] = 1; if (++pods[k] <= 5) pod_list[k] = pod_list[k] " " pod }
    if (node != "" && !((k, node) in has_node)) { has_node[k, node] = 1; nodes[k]++ }
  }
  printf "lines=%d\nevents=%d\nskipped=%d\nother=%d\nbeyond=%d\ncut=%s\n", lines, events, skipped, other, beyond, cut ? "yes" : "no"
  printf "stages=%d %d %d\n", all_received, all_started, all_done
  # The dearest first, so that the rest can be left out.
  for (k in first) {
    split(k, part, "\t")
    score = t[k] * 1000 + d[k] + s[k] + v[k]
    if (part[3] == "watch from the start") score += 100 * (s[k] > d[k] ? s[k] : d[k])
    list = ""; many = split(from_list[k], address_of, " ")
    for (i = 1; i <= many; i++) list = list " " address_of[i] "=" times_from[k, address_of[i]]
    printf "%.0f\trow=:\t%s\t%d\t%d\t%d\t%d\t%.0f\t%s\t%s\t%d\t%d\t%s\t%s\t.\n", score, k, v[k], s[k], d[k], f[k], t[k] * 1000, \
      substr(first[k], 1, 19), substr(last[k], 1, 19), froms[k], nodes[k], pod_list[k], list | "sort -rn | head -n 60 | cut -f 2-"
  }
  close("sort -rn | head -n 60 | cut -f 2-")
}
