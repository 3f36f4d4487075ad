"""Which address answers what."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.autodiscover()
admin.site.site_header = admin.site.site_title = "fuelweb"
admin.site.index_title = "Clusters, graphs and their history"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", include("deployments.api.urls")),
    path("keystone/v2.0/", include("deployments.api.keystone")),
]
