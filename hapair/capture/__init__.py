"""`hapair capture`: adverts, ARP and neighbour discovery on an interface, explained as they pass.

vrrp/linux/tap.py hands over the frames; explain.py, the only user of scapy, says what each means.
"""
