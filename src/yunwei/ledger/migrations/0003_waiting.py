import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0002_restored"),
    ]

    operations = [
        migrations.CreateModel(
            name="Waiting",
            fields=[
                (
                    "intake",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="ledger.intake",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            "INSERT INTO ledger_waiting (intake_id) SELECT id FROM ledger_intake WHERE NOT sequenced",
            "UPDATE ledger_intake SET sequenced = true WHERE id NOT IN (SELECT intake_id FROM ledger_waiting)",
        ),
        migrations.RemoveIndex(
            model_name="intake",
            name="intake_waiting",
        ),
        migrations.RemoveField(
            model_name="intake",
            name="sequenced",
        ),
    ]
