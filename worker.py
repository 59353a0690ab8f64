"""The RQ worker and scheduler inside the app."""

from webmacs.core.jobs import run_worker
from webmacs.factory import create_app

if __name__ == "__main__":
    run_worker(create_app())
