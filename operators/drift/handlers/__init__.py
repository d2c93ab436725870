"""One handler a kind: builds control's reconcile from the resource, lets it look, and says what came of it.

`look` is the frame that all share. No decision stands here: what is decided is `trimtab.control`'s, over adapters
that the handler chose.
"""
