"""Prints lines of an access log: ten a second for a minute, then with random pauses of 0 to 10 ms, without end.

    producer.py [LINES]     ends after this number of lines
"""

import itertools
import random
import sys
import time

PATHS = ["/", "/index.html", "/articles", "/articles/17", "/search?q=grok", "/images/logo.png", "/login"]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "curl/8.14.1",
]
SLOW_LINES = 600


def line() -> str:
    """Returns a line in the combined format."""
    address = f"192.0.2.{random.randrange(1, 255)}"
    user = random.choice(["-", "-", "-", "ada", "grace"])
    moment = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    request = f"{random.choice(['GET', 'GET', 'GET', 'POST', 'HEAD'])} {random.choice(PATHS)} HTTP/1.1"
    status = random.choice([200, 200, 200, 200, 301, 304, 404, 500])
    size = "-" if status == 304 else random.randrange(200, 50_000)
    referrer = random.choice(["-", "https://example.org/"])
    return f'{address} - {user} [{moment}] "{request}" {status} {size} "{referrer}" "{random.choice(AGENTS)}"'


def main() -> None:
    lines = itertools.count() if len(sys.argv) < 2 else range(int(sys.argv[1]))
    for number in lines:
        print(line(), flush=True)
        time.sleep(0.1 if number < SLOW_LINES else random.uniform(0, 0.01))


if __name__ == "__main__":
    main()
