"""The tables of models: features, models, how they were judged, what was deployed; part of the schema, which names all tables."""

from kveil.tables.common import AT, BUILD, POLICY, RELEASE_ID, RUN
from kveil.tables.declaration import REMADE, Column, Personal, Table

FEATURES = Table(
    "restricted",
    "{policy}_features",
    "Training rows as feature vectors; baseline rows are personal, so restricted.",
    (
        Column("trained_on", "string", "release or baseline"),
        Column("features", "array<double>", "in the order of the feature map"),
        Column("label", "double", "0 or 1"),
    ),
    personal=REMADE,
)
PREDICTIONS = Table(
    "restricted",
    "{policy}_predictions",
    "Scores of held-out people's rows by every trained model.",
    (
        Column("view", "string", "clean, generalized (clean rows through the frozen generalizer) or released"),
        Column("model", "string", "the trained model: algorithm and what it was trained on"),
        Column("label", "double", "0 or 1"),
        Column("score", "double", "probability of 1"),
    ),
    personal=REMADE,
)
MODELS = Table(
    "control",
    "models",
    "Every trained model.",
    (
        POLICY,
        BUILD,
        RELEASE_ID,
        Column("algorithm", "string", "logistic_regression or gradient_boosted_trees"),
        Column("trained_on", "string", "release (may be deployed) or baseline (never is)"),
        Column("mlflow_run", "string", "the MLflow run"),
        Column("rows", "bigint", "training rows"),
        Column("features", "string", "feature names, comma-separated"),
        Column("parameters", "string", "the estimator's parameters as JSON"),
        Column(
            "document",
            "string",
            "the model as JSON where trained on the release; null for baselines, which hold personal statistics",
        ),
        Column("seconds", "double", "training time"),
        RUN,
        AT,
    ),
)
BASELINES = Table(
    "restricted",
    "{policy}_baselines",
    "Baseline models, which saw raw values and never leave.",
    (
        Column("algorithm", "string", "logistic_regression or gradient_boosted_trees"),
        Column("document", "string", "the model as JSON"),
    ),
    personal=REMADE,
)
UTILITY_METRICS = Table(
    "control",
    "utility_metrics",
    "How well each model does on held-out people.",
    (
        POLICY,
        RELEASE_ID,
        Column("algorithm", "string", "logistic_regression or gradient_boosted_trees"),
        Column("trained_on", "string", "release or baseline"),
        Column("view", "string", "what it was scored on: clean, generalized or released rows of held-out people"),
        Column("metric", "string", "accuracy, precision, recall, f1, auc_roc, auc_pr"),
        Column("value", "double", "the measured value; null where undefined"),
        Column("rows", "bigint", "rows scored"),
        RUN,
        AT,
    ),
)
DEPLOYMENTS = Table(
    "control",
    "deployments",
    "Every decision of the gate, with each threshold and what was measured.",
    (
        POLICY,
        BUILD,
        RELEASE_ID,
        Column("model", "string", "the registered name"),
        Column("algorithm", "string", "the best model trained on the release"),
        Column("check", "string", "the gate's threshold"),
        Column("measured", "double", "what was measured"),
        Column("threshold", "double", "what the policy demands"),
        Column("met", "boolean", "whether it does"),
        Column("registered_version", "string", "the MLflow version with alias champion; null when the gate refused"),
        RUN,
        AT,
    ),
)
SCORES = Table(
    "restricted",
    "{policy}_scores",
    "Batch scores by the champion, of held-out people's clean rows in the latest month.",
    (
        Column("person", "string", "the privacy unit's id"),
        Column("date", "date", "the row's day"),
        Column("score", "double", "probability that the label is 1"),
        Column("model_version", "string", "the MLflow version that scored"),
    ),
    personal=Personal("column", "person"),
)
