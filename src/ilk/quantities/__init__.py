"""What items can have more or less of, one file each."""
