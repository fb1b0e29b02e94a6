"""Claims of quality (figures) and of speed (benches): one file each, one line of JSON each."""
