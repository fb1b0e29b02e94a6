"""Known faults of programs, data, fits, figures and installations, a file each."""
