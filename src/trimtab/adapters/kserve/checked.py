"""Does a server check that what it loads is what was registered?"""

from trimtab.adapters.children import Fact
from trimtab.adapters.kserve.inference_service import of_folder
from trimtab.adapters.kserve.told import Told
from trimtab.ports.servers import Revision

TYPE = "DigestChecked"


def digest_fact(revision: Revision, way: Told) -> Fact:
    """DigestChecked: our own server compares the folder's digest before it answers; no other one does.

    Args:
        way: how the server is told its name, which says whose it is.
    """
    if way is not Told.OWN:
        return Fact(
            TYPE,
            "False",
            "NotByRuntime",
            f"this runtime serves whatever lies at {revision.uri}: let nobody write there a second time",
        )
    if not of_folder(revision):
        return Fact(TYPE, "False", "NoDigest", "spec.model.digest is not given, so there is none to compare")
    return Fact(TYPE, "True", "ByServer", f"it must be {revision.digest[:12]}…, or the server does not start")
