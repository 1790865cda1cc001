"""A third count of a web access log, by a regular expression: demo-reference must say the same.

usage: check_reference.py DEMO_REFERENCE DEMO_GENERATE FOLDER
"""
import base64
import calendar
import collections
import json
import pathlib
import re
import subprocess
import sys

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
QUOTED = rb'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(
    rb"([^ ]{1,255}) [^ ]+ [^ ]+ "
    rb"\[(\d\d)/(" + "|".join(MONTHS).encode() + rb")/(\d{4}):(\d\d):(\d\d):(\d\d) "
    rb"([+-])(\d\d)(\d\d)\] " + QUOTED + rb" ([1-9])\d\d (-|\d{1,12}) " + QUOTED + b" " + QUOTED,
    re.DOTALL)
REQUEST = re.compile(rb"[A-Za-z_-]+ ([^ ]+)(?: HTTP/[^ ]+)?", re.DOTALL)


def seconds_of(found):
    day, year = int(found[2]), int(found[4])
    month = MONTHS.index(found[3].decode()) + 1
    hour, minute, second = int(found[5]), int(found[6]), int(found[7])
    zone_hours, zone_minutes = int(found[9]), int(found[10])
    if year < 1970 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 59 or zone_hours > 23 or zone_minutes > 59:
        return None
    east = (zone_hours * 3600 + zone_minutes * 60) * (1 if found[8] == b"+" else -1)
    return calendar.timegm((year, month, day, hour, minute, second)) - east


def page_entry(name, requests):
    try:
        return {"page": name.decode(), "requests": requests}
    except UnicodeDecodeError:
        return {"page_base64": base64.b64encode(name).decode(), "requests": requests}


def count(data):
    status, pages, last_time = collections.Counter(), collections.Counter(), {}
    total_bytes = sessions = malformed = 0
    lines = data.split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        found = LINE.fullmatch(line[:-1] if line.endswith(b"\r") else line)
        request = found and REQUEST.fullmatch(found[11])
        time = seconds_of(found) if request else None
        if time is None:
            malformed += 1
            continue
        status[found[12].decode() + "xx"] += 1
        total_bytes += 0 if found[13] == b"-" else int(found[13])
        pages[request[1].split(b"?")[0]] += 1
        if found[1] not in last_time or time - last_time[found[1]] > 1800:
            sessions += 1
        last_time[found[1]] = time
    ranked = sorted(pages.items(), key=lambda page: (-page[1], page[0]))[:10]
    return {"requests": sum(pages.values()), "bytes": total_bytes, "visitors": len(last_time),
            "sessions": sessions, "status": dict(status), "malformed": malformed,
            "top_pages": [page_entry(*page) for page in ranked]}


ODD_LINES = rb"""
::1 - - [29/Feb/2024:23:59:59 +0000] "GET / HTTP/1.1" 200 1 "-" "a"
::1 - - [01/Mar/2024:00:29:59 +0000] "GET /exactly-1800-s-later HTTP/1.1" 200 1 "-" "a"
::1 - - [01/Mar/2024:01:00:00 +0000] "GET /1801-s-later HTTP/1.1" 200 1 "-" "a"
::1 - - [01/Mar/2024:00:00:00 +0000] "GET /an-hour-earlier HTTP/1.1" 200 1 "-" "a"
::1 - - [01/Mar/2024:00:30:01 +0000] "GET /counted-from-the-earlier-one HTTP/1.1" 200 1 "-" "a"
::1 - - [01/Mar/2024:02:30:01 +0200] "GET /same-instant-in-another-zone HTTP/1.1" 200 1 "-" "a"
::1 - - [30/Feb/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "a"
::1 - bob [01/Mar/2024:00:00:00 -0130] "POST /caf\xc3\xa9?x?y HTTP/2" 503 - "-" "-"
::1 - - [01/Mar/2024:00:00:00 +0000] "GET /\"quoted\" HTTP/1.1" 404 12 "\\" "\""
::1 - - [01/Mar/2024:00:00:00 +0000] "-" 408 - "-" "-"
::1 - - [01/Mar/2024:00:00:00 +0000] "GET /no-version" 200 5 "-" "-"
::1 - - [01/Mar/2024:00:00:00 +0000] "GET /a b HTTP/1.1" 400 5 "-" "-"
::1 - - [01/Mar/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-" extra
::1 - - [01/Mar/2024:00:00:00 +0000] "OPTIONS * HTTP/1.1" 999 999999999999 "-" "-"
""" + (b'::2 - - [01/Mar/2024:00:00:00 +0000] "GET /\xff\xfe HTTP/1.1" 200 5 "-" "-"\n' * 9
       + b'::3 - - [01/Mar/2024:00:00:00 +0000] "GET /crlf HTTP/1.1" 200 5 "-" "-"\r\n'
       + b'::3 - - [01/Mar/2024:00:00:00 +0000] "GET /unterminated HTTP/1.1" 200 5 "-" "-"')


def main():
    reference, generate, folder = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    samples = {"odd": ODD_LINES, "empty": b"", "one-newline": b"\n"}
    for seed in ("1", "2"):
        samples["generated-" + seed] = subprocess.run(
            [generate, "--lines", "20000", "--seed", seed], check=True, stdout=subprocess.PIPE).stdout
    failures = 0
    for name, data in samples.items():
        path = folder / f"{name}.log"
        path.write_bytes(data)
        said = json.loads(subprocess.run([reference, path], check=True, stdout=subprocess.PIPE).stdout)
        counted = count(data)
        for key in counted:
            if said.get(key) != counted[key]:
                failures += 1
                print(f"{path}: {key} is {counted[key]}, demo-reference says {said.get(key)}")
    if samples["generated-1"] == samples["generated-2"]:
        failures += 1
        print("two seeds gave the same log")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
