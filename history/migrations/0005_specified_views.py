"""Views under the names that the specification of the history gives its tables, for whoever comes with SQL."""

from django.db import migrations

from history.migrations._views import create


class Migration(migrations.Migration):
    dependencies = [("history", "0004_event_about")]

    operations = create()
