"""Pages of lists: `?page` and `?page_size` in, the envelope out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field
from sqlalchemy import Select, func, select

from webmacs.core.db import db
from webmacs.core.schemas import Schema

T = TypeVar("T")


class PageQuery(Schema):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=1_000_000_000, description="Page number")
    page_size: int = Field(25, ge=1, le=100, description="Results per page")


class PageOut(Schema, Generic[T]):
    """The envelope of every list."""

    page: int
    page_size: int
    total: int
    data: list[T]


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of results with the total over all pages."""

    page: int
    page_size: int
    total: int
    data: Sequence[T]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.page_size))


def paginate(statement: Select[Any], query: PageQuery) -> Page[Any]:
    """Run `statement` (ordered, of one entity) for one page. A page past the end is empty with the right total."""
    total = db.session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    offset = (query.page - 1) * query.page_size
    rows = [] if offset >= total else db.session.scalars(statement.limit(query.page_size).offset(offset)).all()
    return Page(query.page, query.page_size, total, rows)
