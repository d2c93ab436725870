"""What can go wrong with a test cluster itself."""

from trimtab.api.errors import SurroundingsFailed


class ClusterToolFailed(SurroundingsFailed):
    """A program could not be built, or did not start, or ended by itself."""
