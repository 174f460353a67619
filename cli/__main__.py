"""``python -m archcost.cli``."""

from .main import main

main()
