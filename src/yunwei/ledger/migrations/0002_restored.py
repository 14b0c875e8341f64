import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Restored",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("old_number", models.BigIntegerField(blank=True, null=True)),
                ("old_size", models.BigIntegerField(blank=True, null=True)),
                ("lost", models.BigIntegerField(blank=True, null=True)),
                ("why", models.CharField(max_length=1000)),
                ("by", models.CharField(max_length=80)),
                ("party", models.CharField(max_length=1)),
                ("at", models.DateTimeField()),
                ("agreed", models.BooleanField(blank=True, null=True)),
                ("answered_by", models.CharField(blank=True, max_length=80)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, max_length=1000)),
                (
                    "answer",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.intake",
                    ),
                ),
                (
                    "head",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="restored", to="ledger.head"
                    ),
                ),
                (
                    "intake",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.intake"
                    ),
                ),
            ],
        ),
    ]
