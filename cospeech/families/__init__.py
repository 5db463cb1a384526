"""The two families of networks, the embedded one and Wan 2.1, behind one protocol."""
