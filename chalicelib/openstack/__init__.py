"""OpenStack over HTTP: Keystone and Nova, by keystoneauth1. Their documents and errors stop here."""
