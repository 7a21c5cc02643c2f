"""The hub's side of the serial link: ports, connections, and the operations of the protocol as typed calls."""
