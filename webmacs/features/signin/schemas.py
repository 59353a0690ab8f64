"""What comes in while somebody proves who they are."""

from pydantic import Field

from webmacs.core.schemas import Schema


class ProofIn(Schema):
    """What proves once more who it is: the present password, else a code."""

    proof: str = Field(min_length=1, max_length=1024)
