"""One coroutine per connection, read top to bottom: tcp and http."""
