"""Drives `tokenlake sql` in a pseudo terminal: argv is the program and its arguments."""

import os
import pty
import re
import select
import sys
import time

screen = b""


def plain():
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", screen)


def start():
    global screen
    screen = b""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.argv[1], sys.argv[1:])
    return pid, terminal


def wait(terminal, text, within=30):
    """Reads until `text` is on the screen, then forgets what was before it."""
    global screen
    end = time.time() + within
    while text.encode() not in plain():
        if time.time() > end:
            sys.exit(f"never saw {text!r} in {plain()!r}")
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                screen += os.read(terminal, 65536)
            except OSError:
                sys.exit(f"it ended before {text!r}: {plain()!r}")
    screen = plain().split(text.encode(), 1)[1]


def send(terminal, text):
    os.write(terminal, text.encode())


def ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return sum(int(field) for field in stat.read().rsplit(") ", 1)[1].split()[11:13])


def rests(pid, within=180):
    """Waits until the process computes nothing any more."""
    end = time.time() + within
    while time.time() < end:
        before = ticks(pid)
        time.sleep(1)
        if ticks(pid) < before + 5:
            return
    sys.exit("it goes on with what was cancelled")


def ended(pid, terminal):
    end = time.time() + 30
    while time.time() < end:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                pass
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
    sys.exit("it does not end")


pid, terminal = start()
wait(terminal, "tokenlake> ")
send(terminal, "SELECT count(*)\r")
send(terminal, "AS events FROM eve\t")
wait(terminal, "eve")
send(terminal, "\t")
wait(terminal, "events")
send(terminal, "s;\r")
wait(terminal, "(1 row)")
wait(terminal, "tokenlake> ")
send(terminal, "\\d\r")
wait(terminal, "usage_hourly")
wait(terminal, "tokenlake> ")
send(terminal, "\\d usage_hourly\r")
wait(terminal, "decimal(38,12)")
wait(terminal, "tokenlake> ")
send(terminal, "\\d nothing\r")
wait(terminal, "error: there is no table nothing")
wait(terminal, "tokenlake> ")
send(terminal, "\\timing\r")
wait(terminal, "timing is on")
wait(terminal, "tokenlake> ")
send(terminal, "\\format csv\r")
wait(terminal, "tokenlake> ")
send(terminal, "SELECT 'one' || ',two' AS x;\r")
wait(terminal, '"one,two"')
wait(terminal, " ms")
wait(terminal, "tokenlake> ")
send(terminal, "SELECT nothing FROM events;\r")
wait(terminal, "error: ")
wait(terminal, "tokenlake> ")
send(terminal, "SELECT sum(value % 7) FROM generate_series(1, 100000000000);\r")
wait(terminal, "running for ")
send(terminal, "\x03")
wait(terminal, "cancelled")
wait(terminal, "tokenlake> ")
# A join that finds nothing has no moment of its own at which it would end.
send(
    terminal,
    "SELECT count(*) FROM generate_series(1, 200000) a, generate_series(1, 200000) b "
    "WHERE a.value % 1000 + b.value % 997 < 0;\r",
)
wait(terminal, "running for ")
send(terminal, "\x03")
wait(terminal, "cancelled")
wait(terminal, "tokenlake> ")
rests(pid)
send(terminal, "half a line\x03")
wait(terminal, "tokenlake> ")
send(terminal, "SELECT 40 + 2 AS answer;\r")
wait(terminal, "\n42")
wait(terminal, "tokenlake> ")
send(terminal, "\x04")
assert ended(pid, terminal) == 0

pid, terminal = start()
wait(terminal, "tokenlake> ")
send(terminal, "\x1b[A")
wait(terminal, "SELECT 40 + 2 AS answer;")
send(terminal, "\r")
wait(terminal, "42")
wait(terminal, "tokenlake> ")
send(terminal, "\\q\r")
assert ended(pid, terminal) == 0
# SIGINT drops the line, as Ctrl-C does and as psql has it; SIGTERM ends the shell.
pid, terminal = start()
wait(terminal, "tokenlake> ")
send(terminal, "SELECT 1 AS one;\r")
wait(terminal, "(1 row)")
wait(terminal, "tokenlake> ")
send(terminal, "half a li")
wait(terminal, "half a li")
# The line editor acts on a signal while it reads: let it come back to its read.
time.sleep(0.3)
os.kill(pid, 2)
wait(terminal, "tokenlake> ")
os.kill(pid, 15)
if ended(pid, terminal) != 143:
    sys.exit("SIGTERM does not end it")

print("done")
