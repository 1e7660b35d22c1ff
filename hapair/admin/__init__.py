"""What an administrator talks to while a node runs."""
