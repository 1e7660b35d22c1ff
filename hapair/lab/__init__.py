"""A lab of network namespaces on one machine: what `hapair demo`, the integration tests and the benchmarks build on.

    entry.py       from outside: is everything there, and start a program inside namespaces of its own
    inside.py      process 1 in there: reaps, passes signals on
    network.py     Lab: a LAN bridge and hosts on it; open_lab()
    host.py        Host: start, kill, freeze, unplug
    namespace.py   what is done from inside a host's namespace
    addresses.py   which addresses a host's kernel holds, from netlink events
    plan.py        what a pair is to be, and files.py: what its programs are told        pure
    pair.py        two nodes, web servers and a client, furnished
    kernel_pair.py a pair of the kernel plane; greeter.py: servers that say who they are
    programs.py    what runs on a node: hapair, or keepalived for comparison
    load.py        the measuring client (a process of its own); webserver.py: what it asks
    outage.py      what the client's records say                                         pure
    downloads.py   many slow downloads (a process of its own); bulk.py: their bytes
    pinger.py      a ping every millisecond (a process of its own); pings.py: what they say
    lookups.py     fresh ARP lookups (a process of its own)
    watchers.py    both of these, beside a pair
    trial.py       one fault and what came of it
    demo.py        the demonstration; report.py, page.py show its result                 pure
    screen.py      the live view

Nothing is left behind: a program in the lab lives in a PID namespace whose first process dies with the one outside, and
with it the kernel ends every process, network and mount.
"""
