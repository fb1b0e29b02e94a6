"""An example of what can be added to ilk from outside, one file each."""
