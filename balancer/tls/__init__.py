"""TLS: certificates, which of them a name gets, contexts, what is known of a connection, the ClientHello."""
