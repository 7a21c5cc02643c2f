"""The access-code API over HTTP, in the shapes the official `seam` SDKs expect."""
