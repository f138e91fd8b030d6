#!/usr/bin/awk -f
# SPDX-License-Identifier: Apache-2.0
# Reads GCC's -fcallgraph-info=su and prints the deepest stack below each function whose name begins
# with `root`. Calls through the lifecycle's table are followed; calls to the port and the product are
# not (theirs is their own), nor are leaf functions of the C library. Exit 1 on recursion.
/^node:/ {
    name = quoted($0, "title: \"")
    if (match($0, /[0-9]+ bytes \(/)) {
        own[name] = substr($0, RSTART, RLENGTH) + 0
        if ($0 ~ /bytes \(dynamic\)/) { print "stack: " name " has no bound"; bad = 1 }
    }
}
/^edge:/ {
    from = quoted($0, "sourcename: \""); to = quoted($0, "targetname: \"")
    calls[from] = calls[from] SUBSEP to
}
function quoted(line, before,    rest) {
    rest = substr(line, index(line, before) + length(before))
    return substr(rest, 1, index(rest, "\"") - 1)
}
function depth(name,    list, count, i, d, most, other) {
    if (name in known) return known[name]
    if (name in busy) { print "stack: " name " is recursive"; bad = 1; return 0 }
    busy[name] = 1
    most = 0; via[name] = ""
    count = split(substr(calls[name], 2), list, SUBSEP)
    for (i = 1; i <= count; i++) {
        if (list[i] == "__indirect_call") {
            if (name !~ /lifecycle/ || name ~ /:tell$/) continue
            for (other in own) {
                if (other !~ /lifecycle\.c:/ || other ~ /:(trigger|tell)$/) continue
                d = depth(other)
                if (d > most) { most = d; via[name] = other }
            }
        } else {
            d = depth(list[i])
            if (d > most) { most = d; via[name] = list[i] }
        }
    }
    delete busy[name]
    known[name] = own[name] + most
    return known[name]
}
END {
    worst = 0
    for (name in own) {
        if (index(name, root) == 1 && depth(name) > worst) { worst = depth(name); at = name }
    }
    if (worst == 0) { print "stack: nothing found"; exit 1 }
    printf "stack    %6d bytes at most, without the port and the product:\n", worst
    path = at; text = "        "
    for (n = 0; path != "" && n < 20; n++) {
        short = path; sub(/.*:/, "", short)
        text = text " " short " (" own[path] + 0 ")"
        path = via[path]
        if (path != "") text = text " >"
    }
    print text
    exit bad
}
