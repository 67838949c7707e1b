"""`python -m mmst` is the command `mmst`."""

from mmst.cli import main

main()
