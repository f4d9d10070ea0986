"""The clinic: a small server that takes films, reads them, shows one worklist and answers the PACS."""
