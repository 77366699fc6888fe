import sys
from pathlib import Path

# The oracle and the generator of random consents are shared by several tests.
sys.path.insert(0, str(Path(__file__).parent))
