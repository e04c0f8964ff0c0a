"""Which of the paper's five sources a file belongs to: fixed rules on its path, language, imports and structure.

What belongs here: the rules. The paper (§5) names the sources only; the rules are ours, and the first that applies
decides: notebooks, algorithms, application development, major programming languages, general. What does not: whether a
file is any good.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_HEAD = 16_000
"""Characters of a file in which its structure must show."""

# Jupytext and IPython exports, and Databricks' source format. A cell mark with a title divides many a plain module too.
_NOTEBOOK_EXPORT = (
    r"(?m)\A# ---\n# jupyter:|^# In ?\[[ \d]*\]:|\A(?:#|--|//) Databricks notebook source"
    r"|(?:^# %%(?: \[markdown\])?[ \t]*$(?s:.*?)){3}"
)
_ALGORITHM_PATH = (
    r"(?i)(?:^|[/_.-])(?:leetcode|codeforces|atcoder|hackerrank|hackerearth|codechef|kattis|topcoder|spoj|lintcode"
    r"|codewars|uva|usaco|project[_-]?euler|advent[_-]?of[_-]?code|aoc\d{2,4}|competitive[_-]?programming"
    r"|algorithms?|data[_-]?structures?|dynamic[_-]programming|sorting|rosetta[_-]?code)(?:[/_.-]|\d*[/.]|$)"
)
# Of each: enough by itself to tell that a file reads a judge's input or fills in its solution.
_ALGORITHM_STRUCTURE = (
    r"(?m)^#include <bits/stdc\+\+\.h>|^class Solution\b|ios(?:_base)?::sync_with_stdio\((?:0|false)\)"
    r"|map\(int, (?:sys\.stdin\.readline|input)\(\)\.split\(\)\)|int\((?:sys\.stdin\.readline|input)\(\)\)"
    r"|new BufferedReader\(new InputStreamReader\(System\.in\)\)|new Scanner\(System\.in\)"
    r"|bufio\.New(?:Reader|Scanner)\(os\.Stdin\)|^impl Solution\b|readFileSync\(['\"]/dev/stdin"
)
_MANIFEST = (
    r"(?i)(?:^|/)(?:androidmanifest\.xml|pubspec\.yaml|podfile|angular\.json|manage\.py|wsgi\.py|asgi\.py|urls\.py"
    r"|info\.plist|app\.json|capacitor\.config\.\w+|(?:next|nuxt|vite|svelte|vue|tailwind)\.config\.\w+|config\.ru"
    r"|web\.xml|electron\.js|main_window\.\w+)$|(?i)(?:^|/)(?:templates|views|controllers|components|pages"
    r"|middlewares?|activities|fragments|widgets|layouts)/"
)
_APPLICATION_LANGUAGES = ("CSS", "Dart", "HTML", "Java Server Pages")
# Web servers and pages, desktop and mobile interfaces, by the names that `imports.packages_of` gives.
_APPLICATION_PACKAGES = (
    # Python
    "aiohttp bottle cherrypy dash django falcon fastapi flask gi gradio kivy litestar pyramid pyqtgraph quart"
    " rest_framework sanic starlette streamlit tkinter tornado uvicorn web werkzeug wx wtforms PyQt4 PyQt5 PyQt6"
    " PySide PySide2 PySide6 customtkinter"
    # JavaScript and TypeScript
    " @angular/common @angular/core @angular/router @nestjs/common @nestjs/core @ionic/react @ionic/angular"
    " @mui/material @reduxjs/toolkit @react-navigation/native @remix-run/react @sveltejs/kit @vue/composition-api"
    " angular backbone electron express fastify hono jquery koa next nuxt preact react react-dom react-native"
    " react-redux react-router react-router-dom redux socket.io solid-js styled-components svelte vue vue-router vuex"
    # Java, Kotlin, Scala
    " android.app android.content android.os android.view android.widget androidx.activity androidx.appcompat"
    " androidx.compose androidx.fragment androidx.lifecycle androidx.navigation io.ktor jakarta.servlet jakarta.ws"
    " java.awt javafx.application javafx.scene javax.servlet javax.swing javax.ws org.springframework play.api play.mvc"
    # Go, Rust, Ruby, PHP, Elixir
    " github.com/gin-gonic/gin github.com/gofiber/fiber github.com/gorilla/mux github.com/labstack/echo html/template"
    " net/http actix actix_web axum dioxus egui gtk iced leptos rocket tauri warp yew rails sinatra action_controller"
    " Illuminate Laravel Symfony Phoenix Livewire"
    # Swift and Objective-C, .NET, C and C++
    " AppKit Cocoa SwiftUI UIKit Microsoft.AspNetCore Microsoft.Maui System.Windows System.Web Xamarin.Forms"
    " Avalonia.Controls QApplication QMainWindow QPushButton QWidget QtGui QtWidgets gtk gtkmm.h imgui.h windows.h"
    # R, Julia, Dart
    " shiny Genie flutter"
)


def source_expression(major_languages: Sequence[str]) -> pl.Expr:
    """The source of each file, from the columns `path`, `language`, `packages` and `content`; never null.

    Args:
        major_languages: of the source "major_languages".
    """
    path = pl.col("path")
    language = pl.col("language")
    # Regular expressions over whole texts are what costs: only languages in which a rule can apply are looked at.
    head = pl.col("content").str.slice(0, _HEAD)
    notebook = path.str.contains(r"(?i)\.ipynb$") | (language == "RMarkdown")
    is_program = language.is_in(["Python", "R", "Julia", "Scala", "SQL", "C++", "Java", "Go", "Rust", "JavaScript"])
    exported = is_program & head.str.contains(_NOTEBOOK_EXPORT)
    algorithm = path.str.contains(_ALGORITHM_PATH) & ~language.is_in(["Markdown", "reStructuredText", "HTML", "CSS"])
    judged = is_program & head.str.contains(_ALGORITHM_STRUCTURE)
    frameworks = pl.col("packages").list.set_intersection(_APPLICATION_PACKAGES.split()).list.len() > 0
    application = language.is_in(_APPLICATION_LANGUAGES) | path.str.contains(_MANIFEST) | frameworks
    return (
        pl.when(notebook | exported)
        .then(pl.lit("notebooks"))
        .when(algorithm | judged)
        .then(pl.lit("algorithms"))
        .when(application)
        .then(pl.lit("application"))
        .when(language.is_in(list(major_languages)))
        .then(pl.lit("major_languages"))
        .otherwise(pl.lit("general"))
    )
