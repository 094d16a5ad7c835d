"""`python -m kerasunroll` is the command `kerasunroll`, where that is not on the path."""

from kerasunroll.cli import main

if __name__ == "__main__":
    main()
